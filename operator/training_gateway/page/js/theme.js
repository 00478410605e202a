// Runs before anything is drawn, so that a chosen theme never flashes the other one.
document.documentElement.dataset.theme = localStorage.getItem("trainingjob.theme") ?? "auto";
