# For the tests of plugins in other languages, and of other compilers; sourced. They have a prefix in PATH and nothing
# else of this tree, and leave their directory with the test.

# in_installation PREFIX: a directory of its own, and an environment that knows the installation only.
in_installation() {
  local prefix=$1
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cd "$work"
  unset SUMMA_PLUGIN_PATH SUMMA_CONFIG DATABASE_URL SUMMA_SOURCE_DIR SUMMA_BINARY_DIR
  export PATH=$prefix/bin:$PATH CCACHE_BASEDIR=/ CCACHE_NOHASHDIR=1
  if command -v ccache >/dev/null; then export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi
  PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name summa-sdk.pc)")
  export PKG_CONFIG_PATH CMAKE_GENERATOR=Ninja CMAKE_BUILD_TYPE=Debug CMAKE_BUILD_PARALLEL_LEVEL=2
}

# check_plain DIRECTORY ID SCHEMA: in the real host, its worker counts its runs and its consumer keeps the five messages
# of bus-memory, once, however often they come.
check_plain() {
  local directory=$1 id=$2 schema=$3
  cat >summa.yaml <<YAML
database: { ledger: { url: "\${DATABASE_URL}" }, migrate: auto }
host: { listen: "127.0.0.1:0" }
plugins:
  bus-memory: { stream: ledger-account-created, messages: 5 }
  $id: { use: { bus: bus-memory } }
YAML
  summa-host plugins inspect "$directory/$id.so" >/dev/null
  cat >run <<SHELL
set -e
summa-host run --once -c summa.yaml --plugin-dir $directory
summa-host run --once -c summa.yaml --plugin-dir $directory
psql "\$DATABASE_URL" -XAtc 'SELECT beats FROM $schema.beat' -c 'SELECT count(*) FROM $schema.message' >counts
SHELL
  summa-sandbox --accounts 0 sh run >log 2>&1 || { cat log; exit 1; }
  if [ "$(tr '\n' ' ' <counts)" != "2 5 " ]; then
    cat log counts
    echo "error: $directory/$id.so: two beats and five messages were expected" >&2
    exit 1
  fi
  echo "$directory/$id.so: works"
}
