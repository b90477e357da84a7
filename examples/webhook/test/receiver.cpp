#include "receiver.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <summa/testkit/wait_until.hpp>

namespace webhook {

namespace testkit = summa::testkit;

namespace {

std::vector<std::string> SplitAtTabs(const std::string& line) {
  std::vector<std::string> parts;
  std::istringstream stream(line);
  for (std::string part; std::getline(stream, part, '\t');) parts.push_back(part);
  return parts;
}

bool IsAccepted(const Request& request) { return request.status / 100 == 2; }

}  // namespace

Certificate::Certificate(const std::string& name)
    : certificate_(directory_.Directory() + "/certificate.pem"),
      key_(directory_.Directory() + "/key.pem") {
  const bool is_address = name.find_first_not_of("0123456789.") == std::string::npos;
  testkit::RunOrThrow({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                       "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                       "/CN=" + name, "-addext",
                       std::string("subjectAltName=") + (is_address ? "IP:" : "DNS:") + name,
                       "-keyout", key_, "-out", certificate_});
}

Receiver::Receiver(const Certificate* certificate) : tls_(certificate != nullptr) {
  std::vector<std::string> command = {WEBHOOK_RECEIVER, log_.Path()};
  if (certificate != nullptr) {
    command.insert(command.end(), {certificate->certificate_file(), certificate->key_file()});
  }
  process_ = std::make_unique<testkit::Process>(command);
  testkit::WaitUntil(
      [&] { return process_->Stdout().find('\n') != std::string::npos || !process_->Running(); },
      testkit::kTimeout, "the port of the receiver");
  std::istringstream printed(process_->Stdout());
  std::string word;
  if (!(printed >> word >> port_ >> word >> library_)) {
    throw std::runtime_error("the receiver did not start: " + process_->Stderr());
  }
}

std::string Receiver::Url(const std::string& name, const std::string& fault,
                          const std::string& host) const {
  return std::string(tls_ ? "https" : "http") + "://" + host + ":" + std::to_string(port_) +
         "/hook/" + name + "/" + fault;
}

void Receiver::Put(const std::string& path, const std::string& text) {
  if (testkit::HttpAsk(port_, "PUT", path, "", text).status != 204) {
    throw std::runtime_error("the receiver does not take " + path);
  }
}

void Receiver::SetSecrets(const std::string& name, const std::string& secrets) {
  Put("/_secret/" + name, secrets);
}

void Receiver::Switch(const std::string& name, int status) {
  Put("/_switch/" + name, std::to_string(status));
}

std::vector<Request> Receiver::Requests(const std::string& name) const {
  constexpr std::size_t kColumns = 9;
  std::vector<Request> requests;
  std::ifstream file(log_.Path());
  for (std::string line; std::getline(file, line) && !file.eof();) {
    const std::vector<std::string> parts = SplitAtTabs(line);
    if (parts.size() != kColumns) throw std::runtime_error("not a line of the receiver: " + line);
    if (!name.empty() && parts[0] != name) continue;
    requests.push_back({parts[0], parts[1], parts[6], parts[7], parts[8], parts[4], parts[5],
                        std::stoi(parts[3]), std::stoi(parts[2])});
  }
  return requests;
}

std::size_t Receiver::Accepted(const std::string& name) const {
  std::set<std::string> ids;
  for (const Request& request : Requests(name)) {
    if (IsAccepted(request)) ids.insert(request.id);
  }
  return ids.size();
}

std::vector<std::string> Violations(const std::vector<Request>& requests,
                                    const std::vector<std::string>& ids, std::size_t repeated) {
  std::vector<std::string> lines;
  std::map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < ids.size(); ++i) place[ids[i]] = i;
  std::map<std::string, std::size_t> latest;  // of a key: the place of the last new message
  std::set<std::string> seen, accepted;
  std::size_t again = 0;
  for (const Request& request : requests) {
    if (request.verified != "both" && request.verified != "own") {
      lines.push_back(request.id + " is not verified: " + request.verified);
    }
    if (IsAccepted(request) && !accepted.insert(request.id).second) ++again;
    if (!seen.insert(request.id).second) continue;
    if (!place.contains(request.id)) {
      lines.push_back(request.id + " was never published");
      continue;
    }
    const auto [known, is_first] = latest.emplace(request.key, place[request.id]);
    if (!is_first && known->second > place[request.id]) {
      lines.push_back("key " + request.key + ": " + request.id + " came behind a later message");
    }
    known->second = std::max(known->second, place[request.id]);
  }
  for (const std::string& id : ids) {
    if (!accepted.contains(id)) lines.push_back(id + " was not accepted");
  }
  if (again > repeated) {
    lines.push_back(std::to_string(again) + " messages were accepted twice, at most " +
                    std::to_string(repeated) + " may be");
  }
  constexpr std::size_t kMost = 20;
  if (lines.size() > kMost) lines.resize(kMost);
  return lines;
}

}  // namespace webhook
