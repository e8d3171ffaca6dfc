# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Bash completion for berth. Options come from berth's own help, so they are never out of date.

_berth_networks() { berth net ls 2>/dev/null | awk 'NR > 1 { print $1 }'; }
_berth_hosts() { berth ps ${1:+--net "$1"} ${2:-} 2>/dev/null | awk 'NR > 1 { print $1 }'; }
_berth_options() { berth help "$1" 2>/dev/null | grep -oE '(^|[ ,])--?[a-z][a-z0-9-]*' | tr -d ' ,' | sort -u; }

# The word after --net on this line, if any.
_berth_net() {
	local i
	for ((i = 2; i < COMP_CWORD; i++)); do
		[ "${COMP_WORDS[i]}" != --net ] || echo "${COMP_WORDS[i + 1]}"
	done
}

_berth() {
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} words i
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		words=$(berth help 2>/dev/null | sed -n 's/^  \([a-z-]*\)  .*/\1/p')
	elif [ "$previous" = --net ]; then
		words=$(_berth_networks)
	elif [ "$previous" = --view ]; then
		words="hosts conversations links events"
	elif [ "$command" = run ]; then
		# After the program's name it is the program's own completion that counts.
		for ((i = 2; i < COMP_CWORD; i++)); do
			case ${COMP_WORDS[i]} in
			--) i=$((i + 1)); _command_offset "$i" 2>/dev/null; return ;;
			--net | --name | --ip | --ip6 | -p | --publish | -e | --env | --env-file | -w | --workdir | -u | --user | --allow | --deny | --dns | --alias | --add-host) i=$((i + 1)) ;;
			-*) ;;
			*) _command_offset "$i" 2>/dev/null; return ;;
			esac
		done
		case $word in
		-*) words=$(_berth_options run) ;;
		*) mapfile -t COMPREPLY < <(compgen -c -- "$word"); return ;;
		esac
	else
		case $command:$word in
		*:-*) words=$(_berth_options "$command") ;;
		rm:* | wait:* | logs:* | inspect:*) words=$(_berth_hosts "$(_berth_net)" -a) ;;
		ss:* | top:* | ports:* | events:* | trace:* | why:* | publish:* | unpublish:* | kill:* | stop:* | exec:*) words=$(_berth_hosts "$(_berth_net)") ;;
		help:*) words=$(berth help 2>/dev/null | sed -n 's/^  \([a-z-]*\)  .*/\1/p') ;;
		net:*) if [ "$previous" = inspect ]; then words=$(_berth_networks); else words="ls inspect"; fi ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _berth berth
