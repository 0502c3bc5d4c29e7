// How much of what a target does a plan of probes can see.
#pragma once

#include "attach/plan.h"
#include "flow/binary_facts.h"
#include "flow/verdict.h"

namespace mapscope {

// Which kinds of operations are counted completely: all their functions are probed and none
// was inlined elsewhere, or the binary has no such function at all.
VerifyScope scope_of(const BinaryFacts &facts, const ProbePlan &plan, const ProbeChoice &choice);

} // namespace mapscope
