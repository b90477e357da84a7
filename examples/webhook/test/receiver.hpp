// test/receiver, as a process of a test.
#pragma once

#include <memory>
#include <string>
#include <summa/testkit/host_program.hpp>
#include <summa/testkit/process.hpp>
#include <vector>

namespace webhook {

// A certificate for a name, and a key. Signed by itself, so it is its own authority. The files go with
// the object.
class Certificate {
 public:
  explicit Certificate(const std::string& name);
  const std::string& certificate_file() const { return certificate_; }
  const std::string& key_file() const { return key_; }

 private:
  summa::testkit::TemporaryFile directory_{"made", ""};
  std::string certificate_, key_;
};

// One request that the receiver has got.
struct Request {
  std::string name, id, type, key, body, verified, signature;
  int status = 0;
  int attempt = 0;
};

class Receiver {
 public:
  explicit Receiver(const Certificate* certificate = nullptr);

  int port() const { return port_; }
  bool has_library() const { return library_ != "none"; }
  // scheme://localhost:PORT/hook/NAME/FAULT
  std::string Url(const std::string& name, const std::string& fault,
                  const std::string& host = "127.0.0.1") const;
  // One or more, separated by blanks: each must have signed.
  void SetSecrets(const std::string& name, const std::string& secrets);
  void Switch(const std::string& name, int status);

  // Everything until now, in the order of arrival; of one endpoint or of all.
  std::vector<Request> Requests(const std::string& name = "") const;
  std::size_t Accepted(const std::string& name) const;  // different messages that got 2xx

 private:
  void Put(const std::string& path, const std::string& text);

  summa::testkit::TemporaryFile log_{"log", ""};
  bool tls_;
  std::string library_;
  int port_ = 0;
  std::unique_ptr<summa::testkit::Process> process_;
};

// What is wrong with the requests of one endpoint: signatures, the order in which the messages of a
// key arrived for the first time, messages that were accepted although they were accepted before
// (at most `repeated` are allowed). `ids` in their order: those that must have been accepted.
std::vector<std::string> Violations(const std::vector<Request>& requests,
                                    const std::vector<std::string>& ids, std::size_t repeated);

}  // namespace webhook
