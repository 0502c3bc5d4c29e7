// Objects, tables, histograms, pages and payload, in the order of docs/json.md.
#include "report/maps_anatomy_json.h"

#include <algorithm>

#include "report/maps_words.h"

namespace mapscope {

namespace {

void append_object(const MapObject &object, JsonWriter &json) {
  json.open_object();
  json.key("part").string(name_of(object.part));
  json.key("location").string(object.is_on_stack ? "stack" : "heap");
  json.key("address").hex(object.address.value);
  json.key("count").number(object.count);
  json.key("bytes").number(object.bytes);
  json.key("asked_bytes").number(object.asked_bytes);
  object.slot_bytes == 0 ? json.key("size_class_bytes").null()
                         : json.key("size_class_bytes").number(object.slot_bytes);
  object.is_on_stack ? json.key("span").null() : json.key("span").hex(object.span.value);
  json.key("span_bytes").number(object.span_bytes);
  json.key("pointers").boolean(object.has_pointers);
  json.close_object();
}

void append_table(const TableAnatomy &table, JsonWriter &json) {
  json.open_object();
  json.key("address").hex(table.address.value);
  json.key("groups").hex(table.groups.value);
  json.key("index").number(table.index);
  json.key("slots").number(table.slots);
  json.key("used").number(table.used);
  json.key("tombstones").number(table.tombstones);
  json.key("growth_left").number(table.growth_left);
  json.key("local_depth").number(table.local_depth);
  json.close_object();
}

void append_fill(const MapAnatomy &anatomy, JsonWriter &json) {
  json.key("fill");
  const bool is_known = anatomy.map.slots == 0 ||
                        std::ranges::any_of(anatomy.fill, [](std::uint64_t n) { return n != 0; });
  if (!is_known)
    return json.null();
  json.open_array();
  for (std::uint64_t groups : anatomy.fill)
    json.number(groups);
  json.close_array();
}

void append_payload(const MapAnatomy &anatomy, JsonWriter &json) {
  json.key("payload");
  if (!anatomy.payload)
    return json.null();
  const PayloadEstimate &payload = *anatomy.payload;
  json.open_object();
  json.key("bytes").number(payload.bytes);
  json.key("error_bytes").number(payload.error_bytes.value_or(0));
  json.key("entries").number(payload.entry_count);
  json.key("sampled").number(payload.sampled_count);
  json.key("unread").number(payload.unread_count);
  json.close_object();
}

void append_type(const GoType &type, JsonWriter &json) {
  json.open_object();
  json.key("name").string(type.name);
  json.key("bytes").number(type.size_bytes);
  json.key("alignment").number(type.alignment);
  json.key("padding_bytes").number(type.padding_bytes);
  json.key("fields").open_array();
  for (const GoField &field : type.fields) {
    json.open_object();
    json.key("name").string(field.name);
    json.key("type").string(field.type_name);
    json.key("offset").number(field.offset);
    json.key("bytes").number(field.size_bytes);
    json.key("alignment").number(field.alignment);
    json.close_object();
  }
  json.close_array();
  json.close_object();
}

} // namespace

void append_anatomy(const MapAnatomy &anatomy, JsonWriter &json) {
  json.key("anatomy").open_object();
  json.key("global_depth").number(anatomy.global_depth);
  json.key("log_buckets").number(anatomy.log_buckets);
  json.key("object_count").number(anatomy.object_count);
  json.key("span_count").number(anatomy.span_count);
  json.key("objects").open_array();
  for (const MapObject &object : anatomy.objects)
    append_object(object, json);
  json.close_array();
  json.key("table_count").number(anatomy.table_count);
  json.key("tables").open_array();
  for (const TableAnatomy &table : anatomy.tables)
    append_table(table, json);
  json.close_array();
  append_fill(anatomy, json);
  json.key("chain_lengths").open_array();
  for (std::uint64_t buckets : anatomy.chain_lengths)
    json.number(buckets);
  json.close_array();
  json.key("heap_pages").number(anatomy.heap_pages);
  anatomy.kernel_page_bytes == 0 ? json.key("kernel_page_bytes").null()
                                 : json.key("kernel_page_bytes").number(anatomy.kernel_page_bytes);
  json.key("kernel_pages").number(anatomy.kernel_pages);
  json.key("resident_pages").number(anatomy.resident_pages);
  json.key("swapped_pages").number(anatomy.swapped_pages);
  append_payload(anatomy, json);
  anatomy.no_payload.empty() ? json.key("no_payload").null()
                             : json.key("no_payload").string(anatomy.no_payload);
  json.close_object();
}

void append_layout(const MapTypeLayout *layout, JsonWriter &json) {
  json.key("type_layout");
  if (layout == nullptr)
    return json.null();
  json.open_object();
  json.key("name").string(layout->type.name);
  json.key("descriptor").hex(layout->descriptor.value);
  json.key("shape").boolean(layout->is_shape);
  json.key("group_bytes").number(layout->type.group_bytes);
  json.key("group_pointers").boolean(layout->type.group_has_pointers);
  json.key("entry_bytes").number(layout->bytes_per_slot());
  json.key("entry_padding_bytes").number(layout->padding_bytes_per_slot());
  json.key("key_indirect").boolean(layout->type.key_is_indirect);
  json.key("element_indirect").boolean(layout->type.element_is_indirect);
  json.key("key");
  append_type(layout->key, json);
  json.key("element");
  append_type(layout->element, json);
  json.close_object();
}

} // namespace mapscope
