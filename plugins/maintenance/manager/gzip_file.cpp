#include "manager/gzip_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <summa/error.hpp>
#include <summa/ledger/hash.hpp>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>
#include <utility>

namespace summa::maintenance {
namespace {

constexpr std::size_t kBuffer = 1 << 16;
// Archives are written once and rarely read; a higher level costs much more time for little space.
constexpr int kLevel = 6;

[[noreturn]] void Fail(const std::string& what, const std::string& path) {
  throw Error(SUMMA_E_UNAVAILABLE, "SH-0834", what + " " + path + ": " + std::strerror(errno),
              "The directory of the archive must exist, have space, and belong to the host's user");
}

void SyncDirectoryOf(const std::string& path) {
  const std::string directory = path.substr(0, path.rfind('/') + 1);
  const int descriptor = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) Fail("cannot open", directory);
  const bool done = fsync(descriptor) == 0;
  close(descriptor);
  if (!done) Fail("cannot write to the disk", directory);
}

}  // namespace

struct GzipWriter::State {
  int descriptor = -1;
  gzFile file = nullptr;
  ledger::Hasher hasher;
  std::int64_t bytes = 0;
};

GzipWriter::GzipWriter(std::string path)
    : path_(std::move(path)), temporary_(path_ + ".partial"), state_(std::make_unique<State>()) {
  // What a host left that ended is written over.
  state_->descriptor =
      open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (state_->descriptor < 0) Fail("cannot create", temporary_);
  // gzclose() closes the copy, so that fsync() is possible afterwards.
  const int copy = fcntl(state_->descriptor, F_DUPFD_CLOEXEC, 0);
  if (copy >= 0) state_->file = gzdopen(copy, ("wb" + std::to_string(kLevel)).c_str());
  if (state_->file == nullptr) {
    if (copy >= 0) close(copy);
    close(state_->descriptor);
    Fail("cannot write", temporary_);
  }
}

GzipWriter::~GzipWriter() {
  if (!state_) return;
  if (state_->file != nullptr) gzclose(state_->file);
  close(state_->descriptor);
  unlink(temporary_.c_str());
}

void GzipWriter::Write(std::string_view bytes) {
  if (bytes.empty()) return;
  if (gzwrite(state_->file, bytes.data(), static_cast<unsigned>(bytes.size())) == 0) {
    Fail("cannot write", temporary_);
  }
  state_->hasher.Add(bytes);
  state_->bytes += static_cast<std::int64_t>(bytes.size());
}

FileContent GzipWriter::Finish() {
  const bool closed = gzclose(std::exchange(state_->file, nullptr)) == Z_OK;
  if (!closed || fsync(state_->descriptor) != 0) Fail("cannot write to the disk", temporary_);
  if (rename(temporary_.c_str(), path_.c_str()) != 0) Fail("cannot rename to", path_);
  SyncDirectoryOf(path_);
  FileContent content{state_->bytes, state_->hasher.Finish().string()};
  close(state_->descriptor);
  state_.reset();
  return content;
}

FileContent ReadGzip(const std::string& path, const std::function<void(std::string_view)>& take) {
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };
  const std::unique_ptr<std::remove_pointer_t<gzFile>, Close> file(gzopen(path.c_str(), "rbe"));
  if (!file) Fail("cannot read", path);
  const auto damaged = [&](const std::string& why) {
    return Error(SUMMA_E_DATA, "SH-0835", path + " is damaged: " + why,
                 "Restore the file from a backup");
  };
  ledger::Hasher hasher;
  FileContent content;
  std::array<char, kBuffer> buffer;
  for (;;) {
    const int size = gzread(file.get(), buffer.data(), buffer.size());
    if (size == 0) break;
    int code = Z_OK;
    if (size < 0) throw damaged(gzerror(file.get(), &code));
    const std::string_view piece(buffer.data(), static_cast<std::size_t>(size));
    hasher.Add(piece);
    content.bytes += size;
    if (take) take(piece);
  }
  // zlib passes on a file that is not compressed, or that ends too early.
  int code = Z_OK;
  const char* why = gzerror(file.get(), &code);
  if (code != Z_OK && code != Z_STREAM_END) throw damaged(why);
  if (gzdirect(file.get()) != 0) throw damaged("it is not compressed with gzip");
  content.sha256 = hasher.Finish().string();
  return content;
}

}  // namespace summa::maintenance
