// One request and its answer as HTTP/1.1 has them. cpp-httplib reads and writes the messages; where
// their bytes come from and go to is not its business here, see connections.h.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mapscope {

enum class Transport { tcp, unix_socket };

// What handlers have to know of a request.
struct HttpQuery {
  Transport transport = Transport::tcp;
  std::string method, path;
  std::map<std::string, std::string> parameters; // the first of each name
  std::string host, accept;                      // headers; empty: absent
};

struct HttpAnswer {
  int status = 200;
  std::string type = "application/json"; // of the body
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

// The document of every error: {"error": "..."}, the status beside it.
HttpAnswer error_reply(int status, std::string_view sentence);

// Thread-safe, as far as its handler is.
class HttpMessages {
public:
  using Handler = std::function<HttpAnswer(const HttpQuery &)>;

  explicit HttpMessages(Handler handler);
  ~HttpMessages();

  // The bytes of the answer to the head of a request, up to its empty line. The connection ends
  // with it. Bodies are not read: nothing that is served takes one.
  std::string answer(Transport transport, std::string_view request) const;

private:
  class Server;
  std::unique_ptr<Server> server_;
};

// An answer where there is no request that could be read.
std::string bare_answer(int status, std::string_view sentence);

} // namespace mapscope
