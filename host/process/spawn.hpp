// Starts this program once more, as the process of a plugin, and what that process does first.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace summa::host {

// The descriptor of the link in the process.
inline constexpr int kLinkDescriptor = 3;

// arguments: without the program's name. link: the end of the process; the caller still owns its
// descriptor. Nothing else is inherited but the standard streams, the environment and the working
// directory. The process belongs to no terminal, and dies with the thread that calls this. Throws
// Failure SH-0361.
pid_t SpawnSelf(const std::vector<std::string>& arguments, int link);

// Tells how the process is and how it ended: a descriptor of it, to poll, or -1.
int ProcessDescriptor(pid_t process);

// In the process, before any other thread. False: it was not started by a host.
bool PrepareProcess();
// Limits of the kernel for the rest of its life. open_files 0, memory_bytes 0: none. The memory is
// bounded far above the limit that the host looks at: only what grows faster than the host looks
// comes there.
void LimitProcess(int open_files, std::int64_t memory_bytes);

}  // namespace summa::host
