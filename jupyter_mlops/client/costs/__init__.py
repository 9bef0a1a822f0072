"""What clusters and runs cost over time: bills, months, savings, exports."""
