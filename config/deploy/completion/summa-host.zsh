#compdef summa-host
# Completion of zsh for summa-host. Made by `summa-host help --completion zsh`; do not edit.
_summa_host() {
  local previous=$words[CURRENT-1] current=$words[CURRENT]
  local takes_value=" --bus --completion --config --count --create-ledger --deadline --directory --file --for --from --held-longer-than --kind --only --output --plugin-dir --reason --url --wait -c "
  local -a verbs matches
  verbs=(
    'run:run the workers of the enabled plugins'
    'config check:check the configuration and everything it needs'
    'config print:print the effective configuration'
    'config schema:print a JSON Schema of the configuration for editors'
    'plugins list:list the plugins that are installed'
    'plugins inspect:show what a plugin file contains, needs and provides'
    'plugins resume:let hosts start a plugin again after it crashed them'
    'plugins lock:write which plugin files a host may load'
    'plugins new:write the project of a new plugin'
    'plugins verify:call a plugin in every way a host may, and say what is wrong'
    'workers list:list the workers of the whole fleet'
    'workers pause:stop a worker on every host until it is resumed'
    'workers resume:let a paused or parked worker run again'
    'workers run:run a worker once now, on a running host'
    'operations list:list the operations of the whole fleet'
    'operations show:show one operation and its progress'
    'operations pause:pause an operation until it is resumed'
    'operations resume:continue a paused or failed operation'
    'operations abort:end an operation for good'
    'operations rate:limit how many rows per second an operation processes'
    'bus tail:show the latest messages of a stream, one JSON object each'
    'bus streams:list the streams with their messages, groups and dead letters'
    'bus groups:list the consumer groups with their progress and pending messages'
    'bus trim:remove messages that are past retention and that every group has handled'
    'bus group create:create a consumer group, and the stream if it does not exist'
    'bus group delete:delete a consumer group, and forget what it has not handled'
    'bus group reset:move a consumer group to another place of the stream'
    'status:show the status of the running host'
    'metrics list:list what a host exports at /metrics'
    'doctor:examine the database, the fleet and what the plugins depend on'
    'migrate:create or update the tables of the host and its plugins'
    'explain:explain what an error code means and what to do'
    'version:show the version'
    'help:show this overview, the help of a verb, the man page, or a completion'
  )
  local given="" options="" candidates="" entry rest
  integer i
  for ((i = 2; i < CURRENT; ++i)); do
    case $words[i] in
      -*) [[ $takes_value == *" $words[i] "* ]] && ((++i)) ;;
      *) given+="$words[i] " ;;
    esac
  done
  if [[ $previous == -* && $takes_value == *" $previous "* ]]; then
    case $given$previous in
      *--output) candidates="text json" ;;
      "plugins new "*--kind) candidates="worker consumer projection bus endpoint" ;;
      "help "*--completion) candidates="bash zsh" ;;
    esac
    if [[ -n $candidates ]]; then compadd -- ${=candidates}; else _files; fi
    return
  fi
  case $given in
    "bus group create "*) options="--from --bus" ;;
    "bus group delete "*) options="--force --bus" ;;
    "operations list "*) options="--all" ;;
    "operations show "*) options="--follow" ;;
    "bus group reset "*) options="--from --bus" ;;
    "plugins verify "*) options="--deadline" ;;
    "workers resume "*) options="--all" ;;
    "workers pause "*) options="--all --reason" ;;
    "plugins lock "*) options="--file --check" ;;
    "plugins new "*) options="--kind --directory" ;;
    "workers run "*) options="--wait" ;;
    "bus streams "*) options="--bus" ;;
    "bus groups "*) options="--bus" ;;
    "bus tail "*) options="--count --from --follow --bus" ;;
    "bus trim "*) options="--dry-run --bus" ;;
    "migrate "*) options="--dry-run --create-ledger --partitioned" ;;
    "version "*) options="--verbose" ;;
    "status "*) options="--url" ;;
    "doctor "*) options="--held-longer-than" ;;
    "help "*) options="--man --completion" ;;
    "run "*) options="--once --only --for --wait" ;;
  esac
  if [[ $current == -* ]]; then
    compadd -- ${=options} -c --config --plugin-dir --output --no-color -h --help
    return
  fi
  for entry in $verbs; do
    [[ $entry == "$given"* ]] || continue
    rest=${entry#"$given"}
    # A word in the middle of a verb has no summary of its own.
    if [[ ${rest%%:*} == *" "* ]]; then matches+=(${rest%% *}); else matches+=($rest); fi
  done
  matches=(${(u)matches})
  if (( $#matches )); then _describe verb matches; else _files; fi
}
_summa_host "$@"
