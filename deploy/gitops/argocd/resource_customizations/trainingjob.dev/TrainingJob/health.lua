-- Health of a TrainingJob.
-- It is Healthy when it is complete, as a Job is: a sync wave or a hook waits for the end of the training.
-- With the annotation trainingjob.dev/healthy-when: Running it is Healthy as soon as it trains.

local function answer(status, message)
  return { status = status, message = message }
end

if obj.status == nil or obj.status.conditions == nil then
  local controller = obj.spec.managedBy
  if controller ~= nil and controller ~= "trainingjob.dev/operator" then
    return answer("Progressing", "Waiting for the controller " .. controller .. " (spec.managedBy)")
  end
  return answer("Progressing", "Waiting for the operator")
end

if obj.status.observedGeneration ~= obj.metadata.generation then
  return answer("Progressing", "Waiting for the operator to see the last change of the spec")
end

local is_true = {}
for _, condition in ipairs(obj.status.conditions) do
  if condition.status == "True" then
    is_true[condition.type] = condition
  end
end

local function because(condition)
  if condition.message == nil or condition.message == "" then
    return condition.reason
  end
  return condition.reason .. ": " .. condition.message
end

if is_true.Failed then
  return answer("Degraded", because(is_true.Failed))
end
if is_true.Complete then
  return answer("Healthy", because(is_true.Complete))
end
if is_true.Suspended then
  return answer("Suspended", because(is_true.Suspended))
end
if is_true.Stalled then
  return answer("Degraded", because(is_true.Stalled))
end

if is_true.Running then
  local message = is_true.Running.message
  if obj.status.progress ~= nil then
    message = message .. " Epoch " .. obj.status.progress.epochText .. "."
  end
  for _, condition in ipairs(obj.status.conditions) do
    if condition.type == "CheckpointAvailable" and condition.reason == "SaveFailed" then
      message = message .. " " .. condition.message
    end
  end
  local annotations = obj.metadata.annotations or {}
  if annotations["trainingjob.dev/healthy-when"] == "Running" then
    return answer("Healthy", message)
  end
  return answer("Progressing", message)
end

if is_true.Reconciling then
  return answer("Progressing", because(is_true.Reconciling))
end
return answer("Progressing", "Waiting for the operator")
