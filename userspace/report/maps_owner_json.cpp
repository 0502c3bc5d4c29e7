// Key by key as docs/json.md has it.
#include "report/maps_owner_json.h"

#include "report/maps_owner_words.h"
#include "report/maps_words.h"

namespace mapscope {

namespace {

void or_null(std::string_view text, JsonWriter &json) {
  text.empty() ? json.null() : json.string(text);
}

void append_reachable(Reach reach, JsonWriter &json) {
  reach == Reach::unknown ? json.null() : json.boolean(reach == Reach::reachable);
}

void append_owner(const MapOwner &owner, JsonWriter &json) {
  or_null(owner.root, json.key("owner"));
  or_null(name_of(owner.root_class), json.key("owner_class"));
  or_null(owner.path, json.key("owner_path"));
  or_null(owner.holder, json.key("owner_holder"));
  append_reachable(owner.reach, json.key("reachable"));
}

void append_frame_keys(const SourceFrame &frame, JsonWriter &json) {
  or_null(frame.function, json.key("function"));
  or_null(frame.file, json.key("file"));
  frame.line == 0 ? json.key("line").null() : json.key("line").number(frame.line);
}

void append_shares(const std::vector<SiteShare> &shares, JsonWriter &json) {
  json.open_array();
  for (const SiteShare &share : shares) {
    json.open_object();
    append_frame_keys(share.frame, json);
    json.key("kind").string(name_of(share.kind));
    json.key("samples").number(share.samples);
    json.close_object();
  }
  json.close_array();
}

// Of several sites of maps alike, none is said of this one.
void append_site(const MapSite &site, JsonWriter &json) {
  const SiteShare *share = main_site(site);
  or_null(share == nullptr ? std::string{} : full_site_text(share->frame), json.key("site"));
  or_null(share == nullptr ? "" : name_of(share->kind), json.key("site_kind"));
  json.key("site_samples").number(site.samples());
  or_null(site.shares.empty() ? "" : site.is_of_pattern ? "pattern" : "map", json.key("site_of"));
  append_shares(site.shares, json.key("sites"));
}

void append_totals(const MapTotals &totals, JsonWriter &json) {
  json.open_object();
  json.key("maps").number(totals.maps);
  json.key("entries").number(totals.entries);
  json.key("bytes").number(totals.bytes);
  json.key("reclaimable_bytes").number(totals.reclaimable_bytes);
  json.close_object();
}

void append_uses(const std::vector<SiteUse> &uses, JsonWriter &json) {
  json.key("uses").open_array();
  for (const SiteUse &use : uses) {
    json.open_object();
    append_frame_keys(use.frame, json);
    json.key("in_use_bytes").number(use.in_use_bytes);
    json.key("in_use_objects").number(use.in_use_objects);
    json.key("allocated_bytes").number(use.allocated_bytes);
    json.key("allocated_objects").number(use.allocated_objects);
    json.key("samples").number(use.samples);
    json.close_object();
  }
  json.close_array();
}

void append_learned(const std::optional<LearnedWrites> &learned, JsonWriter &json) {
  json.key("learned");
  if (!learned)
    return json.null();
  json.open_object();
  json.key("writes").number(learned->hits);
  json.key("lost").number(learned->lost);
  json.key("flashes").number(learned->flash_count);
  json.key("attached_ns").number(learned->attached_ns);
  json.key("duration_ns").number(learned->duration_ns);
  or_null(learned->stopped_by, json.key("stopped_by"));
  json.close_object();
}

} // namespace

void append_owner_keys(const JudgedMap &map, JsonWriter &json) {
  append_owner(map.owner, json);
  append_site(map.site, json);
  json.key("written_at").open_array();
  for (const SiteShare &share : map.written_at) {
    json.open_object();
    append_frame_keys(share.frame, json);
    json.key("writes").number(share.samples);
    json.close_object();
  }
  json.close_array();
}

void append_group_keys(const MapGroup &group, MapGroupBy group_by, JsonWriter &json) {
  if (group_by == MapGroupBy::owner)
    append_owner(group.owner, json);
  if (group_by == MapGroupBy::site)
    or_null(group.site ? full_site_text(*group.site) : std::string{}, json.key("site"));
}

void append_owner_counts(const MapsReport &report, bool with_uses, JsonWriter &json) {
  const OwnerCounts &owners = report.owners;
  json.key("owners").open_object();
  json.key("looked_for").boolean(owners.was_made);
  json.key("complete").boolean(owners.is_complete);
  or_null(owners.stopped_by, json.key("stopped_by"));
  json.key("maps_reached").number(owners.maps_reached);
  json.key("maps_unreachable").number(owners.maps_unreachable);
  json.key("maps_changed").number(owners.maps_changed);
  json.key("goroutines_left_out").number(owners.goroutines_left_out);
  json.key("objects_typed").number(owners.objects_typed);
  json.key("objects_untyped").number(owners.objects_untyped);
  json.key("words_followed").number(owners.words_followed);
  json.key("words_refused").number(owners.words_refused);
  json.key("bytes_read").number(owners.bytes_read);
  json.key("bytes_scanned").number(owners.bytes_scanned);
  json.key("cpu_ms").number(owners.cpu_ms);
  append_totals(report.reachable, json.key("reachable"));
  append_totals(report.unreachable, json.key("unreachable"));
  json.close_object();

  const SiteCounts &sites = report.sites;
  json.key("sites").open_object();
  json.key("looked_for").boolean(sites.was_read);
  sites.is_rate_known ? json.key("rate_bytes").number(sites.rate_bytes)
                      : json.key("rate_bytes").null();
  json.key("sampled_objects").number(sites.sampled_objects);
  json.key("sampled_maps").number(sites.sampled_maps);
  if (with_uses)
    append_uses(report.site_uses, json);
  json.close_object();
  append_learned(report.learned, json);
}

void append_owner_steps(const MapExplanation &map, JsonWriter &json) {
  json.key("owner_steps").open_array();
  for (const OwnerStep &step : map.owner_steps) {
    json.open_object();
    or_null(step.text, json.key("step"));
    or_null(step.type, json.key("type"));
    step.word.value == 0 ? json.key("word").null() : json.key("word").hex(step.word.value);
    json.key("object").hex(step.object.value);
    json.key("evidence").string(name_of(step.evidence));
    json.close_object();
  }
  json.close_array();
}

} // namespace mapscope
