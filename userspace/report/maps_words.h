// Words and small pictures that the reports of maps share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "report/maps_report.h"

namespace mapscope {

// As JSON has them: "over_hinted"; empty for none.
std::string_view name_of(MapCause cause);
std::string_view name_of(MapEvidence evidence);
std::string_view name_of(TypeCertainty certainty);
std::string_view name_of(MapPart part);

// As people read them: "over-hinted".
std::string words_for(MapCause cause);
// Why it is taken for a map: a clause.
std::string_view sentence_for(MapEvidence evidence);

// "map[int]int", "map[int]int or map[int]uint64", "map[string]_, one of 12 types", "unknown"; fit
// for a terminal. Arguments as JudgedMap has them.
std::string type_text(const JudgedMap &map);
std::string type_text(const std::string &type, std::span<const std::string> candidates,
                      std::uint64_t candidate_count);

// "73%", "<1%", "-" where there is nothing to be full.
std::string percent_text(std::uint64_t part, std::uint64_t whole);

// A bar of so many columns; anything above nothing shows. In eighths of a column with `unicode`.
std::string bar_text(std::uint64_t part, std::uint64_t whole, std::size_t width, bool unicode);

// Cut to so many columns, with "..." where something is missing. Counts characters as columns.
std::string cut_to(std::string_view text, std::size_t width);

// The text in lines of at most `width` columns, each but the first behind `indent` blanks; broken
// at blanks only. `column`: where the first line stands already. Without a line feed at the end.
std::string wrapped(std::string_view text, std::size_t column, std::size_t indent,
                    std::size_t width = 80);

// "2026-11-21T18:25:10Z"; empty for 0.
std::string time_text(std::uint64_t wall_time_ns);

} // namespace mapscope
