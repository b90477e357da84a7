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

void MakeExpiredCertificate(const std::string& name, const std::string& subject,
                            const std::string& authority) {
  RunOrThrow({"openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
              "-nodes", "-subj", subject, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
              name + ".key", "-out", name + ".csr"});
  const std::vector<std::string> sign = {"openssl",
                                         "x509",
                                         "-req",
                                         "-in",
                                         name + ".csr",
                                         "-CA",
                                         authority + ".crt",
                                         "-CAkey",
                                         authority + ".key",
                                         "-copy_extensions",
                                         "copy",
                                         "-out",
                                         name + ".crt"};
  // How a time in the past is named has changed from OpenSSL 3.0 to 3.4.
  std::vector<std::string> dated = sign, counted = sign;
  dated.insert(dated.end(), {"-not_before", "20200101000000Z", "-not_after", "20200102000000Z"});
  counted.insert(counted.end(), {"-days", "-1"});
  if (RunProgram(dated).exit_code != 0) RunOrThrow(counted);
}

}  // namespace summa::test
