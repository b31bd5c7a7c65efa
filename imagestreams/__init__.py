"""The domain: images, image streams, their tags, imports and triggers."""
