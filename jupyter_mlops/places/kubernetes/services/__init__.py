"""Services as pods."""
