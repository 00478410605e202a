// What tools that wait for a TrainingJob make of it: kstatus, with its own library, and Flux's health check expressions,
// with Flux's own evaluator. Reads objects and expressions from standard input, writes a verdict for each object.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type question struct {
	Objects     map[string]*unstructured.Unstructured       `json:"objects"`
	Expressions map[string]kustomize.HealthCheckExpressions `json:"expressions"`
}

type verdict struct {
	Kstatus string            `json:"kstatus"`
	Flux    map[string]string `json:"flux"`
}

func main() {
	var asked question
	must(json.NewDecoder(os.Stdin).Decode(&asked))
	verdicts := map[string]verdict{}
	for name, object := range asked.Objects {
		computed, err := status.Compute(object)
		must(err)
		verdicts[name] = verdict{Kstatus: string(computed.Status), Flux: evaluated(asked.Expressions, object)}
	}
	must(json.NewEncoder(os.Stdout).Encode(verdicts))
}

func evaluated(all map[string]kustomize.HealthCheckExpressions, object *unstructured.Unstructured) map[string]string {
	found := map[string]string{}
	for name, expressions := range all {
		evaluator, err := cel.NewStatusEvaluator(&expressions)
		must(err)
		result, err := evaluator.Evaluate(context.Background(), object)
		must(err)
		found[name] = string(result.Status)
	}
	return found
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
