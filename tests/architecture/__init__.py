"""What the sources of the project promise to each other: who imports whom, and who writes what."""
