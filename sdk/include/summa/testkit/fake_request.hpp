// A request over HTTP for tests of a route.
//
//   summa::testkit::FakeRequest request(sql.table());
//   request.Set("holder", "holder_1");
//   const summa::Response response = Get(request.request());
#pragma once

#include <summa/endpoint.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace summa::testkit {

// Must outlive the call. The host would have checked the parameters; here is what the test sets.
class FakeRequest {
 public:
  explicit FakeRequest(const summa_sql_v1* sql = nullptr, std::string body = {})
      : body_(std::move(body)) {
    abi_.struct_size = sizeof abi_;
    abi_.self = this;
    abi_.body = ToAbi(body_);
    abi_.sql = sql;
    abi_.parameter = [](const summa_request* request, summa_str name, summa_str* value) {
      return Find(static_cast<FakeRequest*>(request->self)->parameters_, name, value);
    };
    abi_.header = [](const summa_request* request, summa_str name, summa_str* value) {
      return Find(static_cast<FakeRequest*>(request->self)->headers_, name, value);
    };
    abi_.should_stop = [](const summa_request* request) -> std::int32_t {
      return static_cast<FakeRequest*>(request->self)->stop_ ? 1 : 0;
    };
  }
  FakeRequest(const FakeRequest&) = delete;
  FakeRequest& operator=(const FakeRequest&) = delete;

  // As the host passes it: normalised text.
  FakeRequest& Set(const std::string& parameter, const std::string& value) {
    parameters_[parameter] = value;
    return *this;
  }
  // name in lower case.
  FakeRequest& SetHeader(const std::string& name, const std::string& value) {
    headers_[name] = value;
    return *this;
  }
  // The client no longer waits.
  void Stop() { stop_ = true; }
  Request request() const { return Request(&abi_); }

 private:
  static std::int32_t Find(const std::map<std::string, std::string>& values, summa_str name,
                           summa_str* value) {
    const auto found = values.find(std::string(FromAbi(name)));
    if (found == values.end()) return 0;
    *value = ToAbi(found->second);
    return 1;
  }

  summa_request abi_{};
  std::string body_;
  std::map<std::string, std::string> parameters_, headers_;
  std::atomic<bool> stop_{false};
};

}  // namespace summa::testkit
