"""Models: their versions, gates and trail, and which version is the champion."""
