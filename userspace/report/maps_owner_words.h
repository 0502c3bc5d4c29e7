// Words for who holds a map, and which lines made it grow.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flow/map_owner.h"

namespace mapscope {

// As JSON has them: "variable"; empty for none.
std::string_view name_of(OwnerClass owner_class);
std::string_view name_of(StepEvidence evidence);
std::string_view name_of(SiteKind kind);

// As people read them: a clause.
std::string_view words_for(OwnerClass owner_class);
std::string_view words_for(StepEvidence evidence);
std::string_view words_for(SiteKind kind);

// "main.fill /src/main.go:41", whole: what --site is compared with. Without the line where none is
// known.
std::string full_site_text(const SourceFrame &frame);

// "main.store -> *Cache.shards[].entries", "the stack of main.worker", or that nothing holds it;
// empty: not known. Printable. With an arrow of its own where `unicode`.
std::string owner_text(const MapOwner &owner, bool unicode);

// "grew at main.fill main.go:41 (3 samples)", "maps alike grew at ... (3 of 4 samples, 1
// elsewhere)": one for growth and one for creation, where these were sampled.
std::vector<std::string> site_texts(const MapSite &site);

// "written by main.put main.go:52 (900 of 1,000 writes seen)"; of several lines the first, which
// writes most. Empty: no write was seen.
std::string written_text(std::span<const SiteShare> written_at);

// The line that a map can be said to be from: where most growths, or else the most creations, were
// sampled. Null: nothing was sampled, or only maps alike were, at several lines.
const SiteShare *main_site(const MapSite &site);

// The text in at most `width` columns, its middle left out where it is longer: of a path, both ends
// tell more.
std::string cut_middle(std::string_view text, std::size_t width);

} // namespace mapscope
