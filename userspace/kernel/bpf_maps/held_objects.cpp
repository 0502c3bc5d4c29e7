// The iterator, and what it takes to run it; see held_objects.h.
#include "kernel/bpf_maps/held_objects.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>
#include <span>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include "base/handle.h"
#include "bpf/contract/held_descriptors.h"
#include "kernel/libbpf_words.h"
#include "kernel/process_ids.h"
#include "kernel/skeleton.h"
#include "kernel/uprobes.h"
#include "skeletons/held_descriptors.skel.h"

namespace mapscope {
namespace {

using Iterator = Loaded<held_descriptors_bpf>;

constexpr std::size_t kObjectsMax = 4'000'000;

Result<Iterator> load_iterator() {
  if (!in_initial_pid_namespace())
    return fail(Errc::unsupported, "processes have other numbers in this pid namespace");
  keep_libbpf_words();
  auto opened = TRY(Opened<held_descriptors_bpf>::open());
  auto loaded = std::move(opened).load();
  if (!loaded)
    return std::unexpected(with_libbpf_words(loaded.error()));
  return loaded;
}

HeldObject as_held_object(const held_descriptor &held) {
  return {.pid = held.tgid,
          .kind = held.kind == HELD_MAP       ? HeldObjectKind::map
                  : held.kind == HELD_PROGRAM ? HeldObjectKind::program
                                              : HeldObjectKind::map_by_link,
          .id = held.id};
}

Result<std::vector<HeldObject>> run(const Iterator &iterator) {
  const BpfLink link{bpf_program__attach_iter(iterator->progs.held_descriptors, nullptr)};
  if (!link)
    return std::unexpected(Error::from_errno("attaching the iterator over open files"));
  const Fd run{bpf_iter_create(bpf_link__fd(link.get()))};
  if (!run)
    return std::unexpected(Error::from_errno("starting the iterator over open files"));
  std::vector<HeldObject> objects;
  std::array<held_descriptor, 512> piece{};
  for (;;) {
    const ssize_t size = ::read(run.get(), piece.data(), sizeof(piece));
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
      continue;
    if (size < 0)
      return std::unexpected(Error::from_errno("running the iterator over open files"));
    if (size % static_cast<ssize_t>(sizeof(held_descriptor)) != 0)
      return fail(Errc::malformed, "the iterator over open files gave {} bytes", size);
    if (size == 0)
      return objects;
    for (const held_descriptor &held :
         std::span{piece}.first(static_cast<std::size_t>(size) / sizeof(held_descriptor)))
      objects.push_back(as_held_object(held));
    if (objects.size() > kObjectsMax)
      return fail(Errc::system, "processes hold more than {} descriptors of BPF", kObjectsMax);
  }
}

} // namespace

Result<HeldObjects> held_objects_by_iterator() {
  static std::mutex mutex;
  static std::optional<Result<Iterator>> iterator;
  const std::lock_guard lock{mutex};
  if (!iterator)
    iterator.emplace(load_iterator());
  if (!*iterator)
    return std::unexpected(iterator->error());
  HeldObjects held{.objects = TRY(run(**iterator)), .is_complete = true, .problem = {}};
  std::ranges::sort(held.objects);
  const auto doubles = std::ranges::unique(held.objects);
  held.objects.erase(doubles.begin(), doubles.end());
  return held;
}

HeldObjects find_held_objects() {
  if (auto held = held_objects_by_iterator())
    return *std::move(held);
  HeldObjects held = held_objects_by_proc();
  if (!in_initial_pid_namespace() && held.is_complete) {
    held.is_complete = false;
    held.problem = "Of those who hold maps, only processes of this pid namespace are known.";
  }
  return held;
}

} // namespace mapscope
