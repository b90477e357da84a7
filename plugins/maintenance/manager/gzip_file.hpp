// Files that are written completely or not at all, compressed with gzip.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace summa::maintenance {

// What a file contains, before compression.
struct FileContent {
  std::int64_t bytes = 0;
  std::string sha256;
  friend bool operator==(const FileContent&, const FileContent&) = default;
};

// Writes beside `path`, under a temporary name, until Finish(). Errors: SH-0834, with the path and
// what the system says.
class GzipWriter {
 public:
  explicit GzipWriter(std::string path);
  ~GzipWriter();  // without Finish(): removes what was written
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;

  void Write(std::string_view bytes);
  // On the disk before it is renamed to `path`, and the name is on the disk when this returns.
  FileContent Finish();

 private:
  struct State;
  std::string path_, temporary_;
  std::unique_ptr<State> state_;
};

// Reads the whole file; `take` may be empty. A file that is cut off or damaged is SH-0835, one that
// cannot be read SH-0834.
FileContent ReadGzip(const std::string& path, const std::function<void(std::string_view)>& take);

}  // namespace summa::maintenance
