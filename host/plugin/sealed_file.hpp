// The bytes of a file, read once into memory that nobody can change any more (a sealed memfd): what
// is hashed, what is examined and what is loaded are the same bytes, whatever becomes of the file
// meanwhile.
#pragma once

#include <span>
#include <string>

namespace summa::host {

// Immutable; thread-safe.
class SealedFile {
 public:
  // Reads `descriptor` from its beginning to its end, at most `most` bytes. `name` is what tools
  // show of the memory. Throws std::system_error; std::length_error: the file has more.
  SealedFile(int descriptor, const std::string& name, std::size_t most);
  ~SealedFile();
  SealedFile(const SealedFile&) = delete;
  SealedFile& operator=(const SealedFile&) = delete;

  std::span<const char> bytes() const { return {bytes_, size_}; }
  // By which this process can open it, as long as the object lives. It must live as long as what
  // the dynamic loader has loaded from it: the loader knows its files by their paths, and takes a
  // second file of this path for the first one.
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }
  // SHA-256, 64 characters of lower-case hex.
  std::string Sha256() const;

 private:
  int descriptor_ = -1;
  const char* bytes_ = nullptr;
  std::size_t size_ = 0;
};

// SHA-256 in 64 characters of lower-case hex.
std::string Sha256Of(std::span<const char> bytes);

}  // namespace summa::host
