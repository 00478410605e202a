-- What can be done with a TrainingJob as it is. After its end nothing can: its spec does not change any more.
local is_over = obj.status ~= nil and obj.status.completionTime ~= nil
local is_paused = obj.spec.suspend == true

return {
  ["pause"] = {
    ["disabled"] = is_over or is_paused,
    ["iconClass"] = "fa fa-fw fa-pause",
    ["displayName"] = "Pause: save, then free the nodes",
  },
  ["resume"] = {
    ["disabled"] = is_over or not is_paused,
    ["iconClass"] = "fa fa-fw fa-play",
    ["displayName"] = "Resume where it was paused",
  },
  ["restart"] = {
    ["disabled"] = is_over or is_paused,
    ["iconClass"] = "fa fa-fw fa-redo",
    ["displayName"] = "Restart: save, then go on in new pods",
  },
}
