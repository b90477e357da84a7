#include "tests/services/certificate.hpp"

#include <vector>

#include "tests/services/process.hpp"

namespace summa::test {

void MakeCertificate(const std::string& name, const std::string& subject,
                     const std::string& authority) {
  std::vector<std::string> words = {
      "openssl", "req",        "-x509", "-newkey", "ec",    "-pkeyopt", "ec_paramgen_curve:P-256",
      "-nodes",  "-days",      "2",     "-subj",   subject, "-keyout",  name + ".key",
      "-out",    name + ".crt"};
  if (!authority.empty()) {
    words.insert(words.end(),
                 {"-CA", authority + ".crt", "-CAkey", authority + ".key", "-addext",
                  "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"});
  }
  RunOrThrow(words);
}

}  // namespace summa::test
