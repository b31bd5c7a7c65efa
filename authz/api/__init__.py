"""The kinds of people, rights and namespaces, one file each: its type, its rules and its columns."""
