"""What the server does in a second, beside a bare Django application on the same machine in the same minutes."""
