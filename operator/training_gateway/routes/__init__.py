"""The paths of the API, by what they are about. Handlers find user and task, call, and answer."""
