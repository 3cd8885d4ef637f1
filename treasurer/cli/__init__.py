"""The `treasurer` command. Every subcommand is imported when it is called, so that help is quick."""
