#include "fingerprints.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <summa/error.hpp>

namespace summa::reconciliation {
namespace {

std::string Directory() {
  const char* directory = std::getenv("TMPDIR");
  return directory != nullptr && *directory != '\0' ? directory : "/tmp";
}

[[noreturn]] void Fail(const char* what) {
  throw Error(
      SUMMA_E_CONFIG, "SH-0706",
      std::string(what) + " in " + Directory() + ": " + std::strerror(errno),
      "it needs room for 8 bytes for each entry of the ledger; set TMPDIR to another place");
}

int OpenFile() {
  const std::string directory = Directory();
  int file = open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file >= 0) return file;
  // Not every file system knows files without a name.
  std::string name = directory + "/summa-reconcile-XXXXXX";
  file = mkostemp(name.data(), O_CLOEXEC);
  if (file < 0) Fail("no temporary file can be created");
  unlink(name.c_str());
  return file;
}

}  // namespace

Fingerprints::Fingerprints(std::size_t memory_numbers) : memory_numbers_(memory_numbers) {}

Fingerprints::~Fingerprints() {
  if (file_ >= 0) close(file_);
}

void Fingerprints::Spill() {
  if (file_ < 0) file_ = OpenFile();
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    std::vector<std::uint64_t>& bucket = buckets_[i];
    if (bucket.empty()) continue;
    const auto* bytes = reinterpret_cast<const char*>(bucket.data());
    const std::size_t size = bucket.size() * sizeof bucket[0];
    for (std::size_t done = 0; done < size;) {
      const ssize_t written =
          pwrite(file_, bytes + done, size - done, file_end_ + static_cast<std::int64_t>(done));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) Fail("the temporary file cannot be written");
      done += static_cast<std::size_t>(written);
    }
    on_disk_[i].push_back({file_end_, bucket.size()});
    file_end_ += static_cast<std::int64_t>(size);
    bucket.clear();
  }
  held_ = 0;
}

void Fingerprints::Load(std::size_t bucket, std::vector<std::uint64_t>& numbers) const {
  for (const Piece& piece : on_disk_[bucket]) {
    const std::size_t start = numbers.size(), size = piece.numbers * sizeof numbers[0];
    numbers.resize(start + piece.numbers);
    auto* bytes = reinterpret_cast<char*>(numbers.data() + start);
    for (std::size_t done = 0; done < size;) {
      const ssize_t read =
          pread(file_, bytes + done, size - done, piece.offset + static_cast<std::int64_t>(done));
      if (read < 0 && errno == EINTR) continue;
      if (read <= 0) Fail("the temporary file cannot be read");
      done += static_cast<std::size_t>(read);
    }
  }
}

bool Fingerprints::AnyTwice() {
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    std::vector<std::uint64_t> numbers = std::move(buckets_[i]);
    Load(i, numbers);
    std::sort(numbers.begin(), numbers.end());
    if (std::adjacent_find(numbers.begin(), numbers.end()) != numbers.end()) return true;
  }
  return false;
}

}  // namespace summa::reconciliation
