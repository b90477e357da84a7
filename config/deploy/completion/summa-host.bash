# Completion of bash for summa-host. Made by `summa-host help --completion bash`; do not edit.
_summa_host() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local takes_value=" --bus --completion --config --count --create-ledger --deadline --directory --file --for --from --held-longer-than --kind --only --output --plugin-dir --reason --url --wait -c "
  local verbs=(
    'run'
    'config check'
    'config print'
    'config schema'
    'plugins list'
    'plugins inspect'
    'plugins resume'
    'plugins lock'
    'plugins new'
    'plugins verify'
    'workers list'
    'workers pause'
    'workers resume'
    'workers run'
    'operations list'
    'operations show'
    'operations pause'
    'operations resume'
    'operations abort'
    'operations rate'
    'bus tail'
    'bus streams'
    'bus groups'
    'bus trim'
    'bus group create'
    'bus group delete'
    'bus group reset'
    'status'
    'metrics list'
    'doctor'
    'migrate'
    'explain'
    'version'
    'help'
  )
  local words="" options="" candidates="" verb rest i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${COMP_WORDS[i]} in
      -*) [[ $takes_value == *" ${COMP_WORDS[i]} "* ]] && ((++i)) ;;
      *) words+="${COMP_WORDS[i]} " ;;
    esac
  done
  COMPREPLY=()
  if [[ $previous == -* && $takes_value == *" $previous "* ]]; then
    case $words$previous in
      *--output) candidates="text json" ;;
      "plugins new "*--kind) candidates="worker consumer projection bus endpoint" ;;
      "help "*--completion) candidates="bash zsh" ;;
    esac
    # Nothing to offer: bash offers files.
    [ -z "$candidates" ] || COMPREPLY=($(compgen -W "$candidates" -- "$current"))
    return
  fi
  case $words in
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
    candidates="$options -c --config --plugin-dir --output --no-color -h --help"
  else
    for verb in "${verbs[@]}"; do
      [[ $verb == "$words"* ]] || continue
      rest=${verb#"$words"}
      candidates+=" ${rest%% *}"
    done
  fi
  COMPREPLY=($(compgen -W "$candidates" -- "$current"))
}
complete -o default -F _summa_host summa-host
