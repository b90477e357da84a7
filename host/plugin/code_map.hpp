// Which plugin a piece of code belongs to, also for a handler of signals: threads that a plugin has
// made itself are in no call of the host. Code is never unloaded, so what is known stays true.
#pragma once

#include <cstdint>
#include <string_view>

namespace summa::host {

// The code of this plugin, loaded at this address. One thread at a time.
void RememberCode(std::string_view plugin, std::uintptr_t load_address);

// The rest is async-signal-safe. Texts live until the process ends; nullptr: no plugin's.
const char* PluginOfCode(std::uintptr_t address) noexcept;
// The plugin that called what runs on this thread, by the addresses on its stack from here on up.
// Only for threads on which the host calls no plugins: their stacks may hold what is over.
const char* PluginOnStack(std::uintptr_t stack_pointer) noexcept;

}  // namespace summa::host
