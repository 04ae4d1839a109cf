"""What commands share: web options, opening a web, progress bars and exit codes."""
