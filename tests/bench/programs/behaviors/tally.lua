-- tally: counts casts; a call gives how many there were.
return require("bench").counter
