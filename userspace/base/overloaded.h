// One visitor from several lambdas, for std::visit.
#pragma once

namespace mapscope {

template <typename... Callables> struct overloaded : Callables... {
  using Callables::operator()...;
};
template <typename... Callables> overloaded(Callables...) -> overloaded<Callables...>;

} // namespace mapscope
