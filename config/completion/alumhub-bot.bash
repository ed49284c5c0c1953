# Completion of alumhub-bot for bash.
_alumhub_bot()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command= i
	local commands="run chat check invite status backup restore erase load-demo schema egress version"

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case " $commands " in
		*" ${COMP_WORDS[i]} "*) command=${COMP_WORDS[i]} ;;
		esac
	done
	case $before in
	--config | --qr | backup | restore)
		COMPREPLY=($(compgen -f -- "$word"))
		return
		;;
	--language)
		COMPREPLY=($(compgen -W "en ar he" -- "$word"))
		return
		;;
	--role)
		COMPREPLY=($(compgen -W "member coordinator judge safety admin" -- "$word"))
		return
		;;
	--as | --org | --uses | --days) return ;;
	esac
	case $command in
	"") COMPREPLY=($(compgen -W "--config --help $commands" -- "$word")) ;;
	chat) COMPREPLY=($(compgen -W "--as --language" -- "$word")) ;;
	invite) COMPREPLY=($(compgen -W "--role --org --uses --days --qr" -- "$word")) ;;
	status) COMPREPLY=($(compgen -W "--json" -- "$word")) ;;
	esac
}
complete -o filenames -F _alumhub_bot alumhub-bot
