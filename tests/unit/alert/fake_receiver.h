// A receiver of alerts over HTTP that answers as the test says, and remembers what it got.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <httplib.h>
#include <nlohmann/json.hpp>

namespace mapscope {

class FakeReceiver {
public:
  using Answer = std::function<void(const httplib::Request &, httplib::Response &)>;

  explicit FakeReceiver(std::unique_ptr<httplib::Server> server = nullptr, int port = 0)
      : server_(server ? std::move(server) : std::make_unique<httplib::Server>()) {
    server_->Post(".*", [this](const httplib::Request &request, httplib::Response &response) {
      Answer answer;
      {
        std::lock_guard lock(mutex_);
        requests_.push_back(request);
        answer = answer_;
      }
      changed_.notify_all();
      if (answer)
        answer(request, response);
    });
    if (port == 0)
      port_ = server_->bind_to_any_port("127.0.0.1");
    else if (server_->bind_to_port("127.0.0.1", port))
      port_ = port;
    thread_ = std::thread([this] { server_->listen_after_bind(); });
  }
  ~FakeReceiver() {
    release();
    while (!server_->is_running()) // stop() before that is not heard
      std::this_thread::yield();
    server_->stop();
    thread_.join();
  }
  FakeReceiver(const FakeReceiver &) = delete;
  FakeReceiver &operator=(const FakeReceiver &) = delete;

  int port() const { return port_; }
  std::string url(std::string_view path = "") const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }

  void answer_with(Answer answer) {
    std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }
  void answer_with(int status) {
    answer_with([status](const httplib::Request &, httplib::Response &response) {
      response.status = status;
    });
  }
  // Requests wait from now on, until release().
  void hold() {
    {
      std::lock_guard lock(mutex_);
      is_held_ = true;
    }
    answer_with([this](const httplib::Request &, httplib::Response &) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !is_held_; });
    });
  }
  void release() {
    {
      std::lock_guard lock(mutex_);
      is_held_ = false;
      answer_ = nullptr;
    }
    changed_.notify_all();
  }

  // False: not within a minute.
  bool wait_for_requests(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::minutes(1),
                             [&] { return requests_.size() >= count; });
  }
  std::vector<httplib::Request> requests() const {
    std::lock_guard lock(mutex_);
    return requests_;
  }
  // "FINGERPRINT state" of each alert of each document, in order.
  std::vector<std::string> told() const {
    std::vector<std::string> told;
    for (const httplib::Request &request : requests()) {
      const nlohmann::json document = nlohmann::json::parse(request.body);
      for (const auto &alert : document.at("alerts"))
        told.push_back(alert.at("fingerprint").get<std::string>() + " " +
                       alert.at("state").get<std::string>());
    }
    return told;
  }

private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Answer answer_;
  bool is_held_ = false;
  std::vector<httplib::Request> requests_;
  std::unique_ptr<httplib::Server> server_;
  int port_ = -1;
  std::thread thread_;
};

} // namespace mapscope
