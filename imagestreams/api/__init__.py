"""The kinds of `image.openshift.io/v1`, one file each: its rules, its storage and its columns."""
