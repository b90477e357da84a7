#include "tests/services/shared_data.hpp"

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace summa::test {

std::string SourceDir() {
  const char* from_environment = std::getenv("SUMMA_SOURCE_DIR");
  return from_environment != nullptr ? from_environment : SUMMA_TEST_SOURCE_DIR;
}

std::optional<std::string> ForSharedData() {
  const auto path = std::filesystem::path(SourceDir()).parent_path() / "shared";
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) return std::nullopt;
  return path.string();
}

}  // namespace summa::test
