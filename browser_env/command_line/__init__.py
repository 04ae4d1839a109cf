"""What every command needs of the web: the web options, opening the web they name, progress bars, exit codes."""
