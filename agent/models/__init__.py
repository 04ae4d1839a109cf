"""Language models as policies and scores: in this process, behind a server, or shipped with the package."""
