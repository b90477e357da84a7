#include "host/plugin/sealed_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string_view>
#include <summa/ledger/hash.hpp>
#include <system_error>
#include <utility>
#include <vector>

namespace summa::host {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
// Of Linux 6.3: not a program, whatever the machine allows (sysctl vm.memfd_noexec). Its code can
// be mapped all the same.
constexpr unsigned kNoProgram = 0x0008U;

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return descriptor_; }
  int Release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

[[noreturn]] void Fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

int MakeMemory(const std::string& name) {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const int memory = memfd_create(name.c_str(), kFlags | kNoProgram);
  return memory >= 0 || errno != EINVAL ? memory : memfd_create(name.c_str(), kFlags);
}

void WriteAll(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) Fail("the memory for the file cannot be written");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::size_t Copy(int from, int to, std::size_t most) {
  std::vector<char> piece(kPieceBytes);
  std::size_t size = 0;
  for (;;) {
    const ssize_t count = pread(from, piece.data(), piece.size(), static_cast<off_t>(size));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) Fail("the file cannot be read");
    if (count == 0) return size;
    size += static_cast<std::size_t>(count);
    if (size > most) throw std::length_error("the file is too large");
    WriteAll(to, {piece.data(), static_cast<std::size_t>(count)});
  }
}

}  // namespace

SealedFile::SealedFile(int descriptor, const std::string& name, std::size_t most) {
  Descriptor memory(MakeMemory(name));
  if (memory.get() < 0) Fail("no memory for the file");
  size_ = Copy(descriptor, memory.get(), most);
  // Later writers of this process are refused as well.
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (fcntl(memory.get(), F_ADD_SEALS, kSeals) != 0) Fail("the memory cannot be sealed");
  if (size_ > 0) {
    void* mapped = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, memory.get(), 0);
    if (mapped == MAP_FAILED) Fail("the memory cannot be read");
    bytes_ = static_cast<const char*>(mapped);
  }
  descriptor_ = memory.Release();
}

SealedFile::~SealedFile() {
  if (bytes_ != nullptr) munmap(const_cast<char*>(bytes_), size_);
  if (descriptor_ >= 0) close(descriptor_);
}

std::string SealedFile::Sha256() const { return Sha256Of(bytes()); }

std::string Sha256Of(std::span<const char> bytes) {
  ledger::Hasher hasher;
  hasher.Add({bytes.data(), bytes.size()});
  return hasher.Finish().string();
}

}  // namespace summa::host
