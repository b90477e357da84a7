// The verbs `webhook ...`.
#pragma once

#include <summa/plugin.hpp>
#include <vector>

#include "settings.hpp"

namespace webhook {

// `settings` must live as long as the bindings.
std::vector<summa::CommandBinding> Verbs(const summa::Host& host, const Settings& settings);

}  // namespace webhook
