"""The Django project: settings, processes and the API machinery."""
