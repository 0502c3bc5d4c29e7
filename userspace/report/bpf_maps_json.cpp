// Key by key as docs/json.md has it.
#include "report/bpf_maps_json.h"

#include <cmath>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "report/bpf_maps_words.h"
#include "report/json_writer.h"
#include "report/maps_words.h"

namespace mapscope {
namespace {

void text_or_null(std::string_view text, JsonWriter &json) {
  text.empty() ? json.null() : json.string(text);
}

void real(std::optional<double> value, JsonWriter &json) {
  if (value && std::isfinite(*value))
    json.raw(fmt::format("{:.6g}", *value));
  else
    json.null();
}

void append_texts(std::string_view name, const std::vector<std::string> &texts, JsonWriter &json) {
  json.key(name).open_array();
  for (const std::string &text : texts)
    json.string(text);
  json.close_array();
}

void append_facts(const BpfMapFacts &facts, JsonWriter &json) {
  json.key("id").number(facts.id);
  json.key("name").string(facts.name);
  json.key("type").string(facts.type);
  json.key("type_number").number(facts.type_number);
  json.key("key_bytes").number(facts.key_bytes);
  json.key("value_bytes").number(facts.value_bytes);
  json.key("max_entries").number(facts.max_entries);
  json.key("flags").number(facts.flags);
  append_texts("flag_names", facts.flag_names, json);
  json.key("extra").number(facts.extra);
  facts.btf_id == 0 ? json.key("btf_id").null() : json.key("btf_id").number(facts.btf_id);
  text_or_null(facts.key_type, json.key("key_type"));
  text_or_null(facts.value_type, json.key("value_type"));
  facts.is_frozen ? json.key("frozen").boolean(*facts.is_frozen) : json.key("frozen").null();
}

void append_fill(const BpfMapFill &fill, JsonWriter &json) {
  const BpfMethod of_entries = fill.entries ? fill.method : BpfMethod::unknown;
  json.key("entries").number(fill.entries);
  json.key("entries_method").string(name_of(of_entries));
  json.key("used_bytes").number(fill.used_bytes);
  real(fill.fill, json.key("fill"));
  json.key("fill_method").string(name_of(fill.fill ? fill.method : BpfMethod::unknown));
  fill.entries || fill.used_bytes ? json.key("error").number(fill.error) : json.key("error").null();
  text_or_null(fill.note, json.key("entries_note"));
}

void append_users(const BpfMapFacts &facts, JsonWriter &json) {
  append_texts("pinned_paths", facts.pinned_paths, json);
  json.key("programs").open_array();
  for (const BpfMapProgram &program : facts.programs) {
    json.open_object();
    json.key("id").number(program.id);
    json.key("name").string(program.name);
    json.key("type").string(program.type);
    json.close_object();
  }
  json.close_array();
  json.key("holders").open_array();
  for (const BpfMapHolder &holder : facts.holders) {
    json.open_object();
    json.key("pid").number(holder.process.key.pid);
    text_or_null(holder.process.exe, json.key("exe"));
    text_or_null(holder.process.user, json.key("user"));
    text_or_null(holder.process.cgroup.unit, json.key("unit"));
    text_or_null(holder.process.cgroup.container_id, json.key("container_id"));
    json.key("directly").boolean(holder.directly);
    json.close_object();
  }
  json.close_array();
  text_or_null(facts.owner, json.key("owner"));
  text_or_null(time_text(facts.created_before_wall_ns.value_or(0)), json.key("created_before"));
  text_or_null(facts.created_by_word, json.key("created_by"));
  json.key("own").boolean(facts.is_own);
}

void append_rate(std::string_view name, const BpfRate &rate, JsonWriter &json) {
  json.key(name).open_object();
  json.key("method").string(rate.exact ? "counted" : rate.estimate ? "estimated" : "unknown");
  real(rate.exact ? rate.exact : rate.estimate, json.key("per_second"));
  real(rate.exact ? *rate.exact : rate.lower, json.key("lower"));
  real(rate.exact ? rate.exact : rate.estimate ? rate.upper : std::nullopt, json.key("upper"));
  text_or_null(rate.note, json.key("note"));
  json.close_object();
}

void append_rates(const std::optional<BpfMapRates> &rates, JsonWriter &json) {
  json.key("rates");
  if (!rates || rates->window_ns == 0)
    return json.null();
  json.open_object();
  json.key("window_ns").number(rates->window_ns);
  append_rate("system_lookups", rates->system_lookups, json);
  append_rate("system_updates", rates->system_updates, json);
  append_rate("system_deletes", rates->system_deletes, json);
  append_rate("program_lookups", rates->program_lookups, json);
  append_rate("program_updates", rates->program_updates, json);
  append_rate("program_deletes", rates->program_deletes, json);
  json.key("insert_failures").open_object();
  for (const auto &[name, count] : rates->insert_failures)
    json.key(name).number(count);
  json.close_object();
  json.key("sees_program_failures").boolean(rates->sees_program_failures);
  json.key("lost").number(rates->lost);
  json.close_object();
}

void append_time_to_full(const std::optional<BpfTimeToFull> &time, JsonWriter &json) {
  json.key("time_to_full");
  if (!time)
    return json.null();
  json.open_object();
  real(time->seconds, json.key("seconds"));
  real(time->lower, json.key("lower"));
  real(time->upper, json.key("upper"));
  real(time->entries_per_second, json.key("entries_per_second"));
  text_or_null(time->note, json.key("note"));
  json.close_object();
}

void append_counts(std::string_view name, const std::vector<BpfKeyCount> &counts,
                   JsonWriter &json) {
  json.key(name).open_array();
  for (const BpfKeyCount &count : counts) {
    json.open_object();
    json.key("key").string(count.key);
    json.key("count").number(count.count);
    json.close_object();
  }
  json.close_array();
}

void append_keys(const std::optional<BpfKeyDistribution> &keys, JsonWriter &json) {
  json.key("keys");
  if (!keys)
    return json.null();
  json.open_object();
  json.key("of").string(keys->of);
  json.key("sampled").number(keys->sampled);
  json.key("distinct").number(keys->distinct);
  real(keys->entropy_bits, json.key("entropy_bits"));
  append_counts("top", keys->top, json);
  append_counts("prefixes", keys->prefixes, json);
  json.close_object();
}

void append_map(const BpfMapRow &row, JsonWriter &json) {
  const BpfMapSample &map = row.map;
  json.open_object();
  append_facts(map.facts, json);
  append_fill(map.fill, json);
  json.key("memory_bytes").number(map.facts.memory_bytes);
  json.key("memory_method").string(name_of(map.facts.memory_method));
  append_users(map.facts, json);
  append_rates(map.rates, json);
  append_time_to_full(map.time_to_full, json);
  append_keys(map.keys, json);
  append_texts("advice", row.advice, json);
  text_or_null(map.facts.problem, json.key("problem"));
  json.close_object();
}

void append_totals(const BpfMapsReport &report, JsonWriter &json) {
  const BpfMapsTotals &totals = report.totals;
  json.key("totals").open_object();
  json.key("maps").number(totals.maps);
  json.key("memory_bytes").number(totals.memory_bytes);
  json.key("memory_unknown").number(totals.memory_unknown);
  json.key("own_maps").number(totals.own_maps);
  json.key("own_memory_bytes").number(totals.own_memory_bytes);
  json.key("counted").number(totals.counted);
  json.key("walked").number(totals.walked);
  json.key("sampled").number(totals.sampled);
  json.key("unknown").number(totals.unknown);
  json.key("vanished").number(report.vanished);
  json.key("not_counted").number(report.not_counted);
  json.close_object();
  json.key("selected").number(report.selected);
  json.key("cpu_ns").number(report.cpu_ns);
}

} // namespace

std::string bpf_maps_json(const BpfMapsReport &report) {
  std::string out;
  JsonWriter json{out};
  json.open_object();
  json.key("schema").string("mapscope.bpf_maps/1");
  text_or_null(time_text(report.wall_time_ns), json.key("time"));
  append_totals(report, json);
  append_texts("problems", report.problems, json);
  json.key("maps").open_array();
  for (const BpfMapRow &row : report.rows)
    append_map(row, json);
  json.close_array();
  json.close_object();
  out += '\n';
  return out;
}

std::string bpf_map_explanation_json(const BpfMapsReport &report) {
  std::string out;
  JsonWriter json{out};
  json.open_object();
  json.key("schema").string("mapscope.bpf_map/1");
  text_or_null(time_text(report.wall_time_ns), json.key("time"));
  json.key("map");
  if (report.rows.empty())
    json.null();
  else
    append_map(report.rows.front(), json);
  append_texts("problems", report.problems, json);
  json.close_object();
  out += '\n';
  return out;
}

} // namespace mapscope
