// What a status of HTTP means for an alert; see http_sink.h.
#include "alert/http_sink.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <utility>

#include <fmt/format.h>

#include "alert/http_post.h"
#include "base/clock.h"
#include "base/printable.h"

namespace mapscope {

namespace {

constexpr std::size_t kBatchMax = 64;
constexpr std::size_t kShownBytesMax = 200;

// Seconds, or a date (RFC 9110).
std::optional<std::chrono::milliseconds> parse_retry_after(const std::string &text) {
  std::uint32_t seconds = 0;
  const char *end = text.data() + text.size();
  if (auto parsed = std::from_chars(text.data(), end, seconds);
      parsed.ec == std::errc{} && parsed.ptr == end)
    return std::chrono::seconds(seconds);
  std::tm date{};
  if (::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date) == nullptr)
    return std::nullopt;
  const auto now = static_cast<std::time_t>(now_ns(CLOCK_REALTIME) / 1'000'000'000U);
  return std::chrono::seconds(std::max<std::time_t>(::timegm(&date) - now, 0));
}

// Those that say that the way to the receiver is wrong or closed, not that it dislikes this alert:
// a token that has run out must not cost alerts.
bool is_of_payload(int status) {
  constexpr std::array kOfTheWay = {401, 403, 404, 405, 407, 408, 421, 423, 425, 429};
  return status >= 400 && status < 500 && std::ranges::find(kOfTheWay, status) == kOfTheWay.end();
}

AlertDelivery judge_reply(const std::string &url, const Result<HttpReply> &reply) {
  if (!reply)
    return {.outcome = DeliveryOutcome::try_later, .problem = reply.error().message()};
  if (reply->status >= 200 && reply->status < 300)
    return {};
  AlertDelivery delivery{.outcome = is_of_payload(reply->status) ? DeliveryOutcome::refused
                                                                 : DeliveryOutcome::try_later};
  std::string said = printable(std::string_view(reply->body).substr(0, kShownBytesMax));
  delivery.problem =
      fmt::format("POST {}: status {}{}{}", url, reply->status, said.empty() ? "" : ": ", said);
  if (reply->retry_after)
    delivery.not_before = parse_retry_after(*reply->retry_after);
  return delivery;
}

class AlertmanagerReceiver final : public AlertSink {
public:
  AlertmanagerReceiver(HttpPoster poster, Seconds resend)
      : poster_(std::move(poster)), resend_(resend) {}

  AlertDelivery deliver(std::span<const AlertNotice> notices) override {
    const std::uint64_t now = now_ns(CLOCK_REALTIME);
    const auto lasts = std::chrono::nanoseconds(resend_ * 4).count();
    return judge_reply(poster_.url(), poster_.post(alertmanager_body(
                                          notices, now, now + static_cast<std::uint64_t>(lasts))));
  }
  void cut_off() override { poster_.cut_off(); }
  std::size_t batch_max() const override { return kBatchMax; }
  std::optional<std::chrono::milliseconds> resend() const override { return resend_; }

private:
  HttpPoster poster_;
  Seconds resend_;
};

class WebhookReceiver final : public AlertSink {
public:
  WebhookReceiver(HttpPoster poster, std::string host)
      : poster_(std::move(poster)), host_(std::move(host)) {}

  AlertDelivery deliver(std::span<const AlertNotice> notices) override {
    return judge_reply(poster_.url(), poster_.post(alerts_document(host_, notices)));
  }
  void cut_off() override { poster_.cut_off(); }
  std::size_t batch_max() const override { return kBatchMax; }

private:
  HttpPoster poster_;
  std::string host_;
};

} // namespace

Result<std::unique_ptr<AlertSink>> make_alertmanager_sink(const AlertmanagerSink &config) {
  if (config.resend.count() <= 0)
    return fail(Errc::usage, "resend has to be above 0");
  return std::make_unique<AlertmanagerReceiver>(
      TRY(HttpPoster::make(config.endpoint, "/api/v2/alerts")), config.resend);
}

Result<std::unique_ptr<AlertSink>> make_webhook_sink(const WebhookSink &config,
                                                     const std::string &host) {
  return std::make_unique<WebhookReceiver>(TRY(HttpPoster::make(config.endpoint, "")), host);
}

} // namespace mapscope
