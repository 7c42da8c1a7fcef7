# bash completion for peerctl: the program itself knows what may follow
_peerctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} IFS=$'\n'
	local before=${COMP_WORDS[COMP_CWORD - 1]}
	case $before in
	-f | --file | --password-file | --ca-file | -s | --socket)
		COMPREPLY=($(compgen -f -- "$cur"))
		return
		;;
	esac
	COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" complete -- \
	    "${COMP_WORDS[@]:0:COMP_CWORD}" 2>/dev/null)" -- "$cur"))
}
complete -F _peerctl peerctl
