// Findings as lines of the log, or as entries of the journal with fields of their own.
#pragma once

#include "alert/alert_book.h"

namespace mapscope {

void log_alert(const BookEntry &entry, bool to_journal);

} // namespace mapscope
