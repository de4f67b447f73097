package central

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

type apiDoc struct {
	Paths      map[string]map[string]apiOperation `yaml:"paths"`
	Components struct {
		Schemas map[string]apiSchema `yaml:"schemas"`
	} `yaml:"components"`
}

type apiOperation struct {
	RequestBody struct {
		Content map[string]struct {
			Schema  apiSchema `yaml:"schema"`
			Example any       `yaml:"example"`
		} `yaml:"content"`
	} `yaml:"requestBody"`
	Responses map[string]struct {
		Ref     string `yaml:"$ref"`
		Payload any    `yaml:"x-payload"`
	} `yaml:"responses"`
}

type apiSchema struct {
	Ref        string               `yaml:"$ref"`
	Type       string               `yaml:"type"`
	Enum       []string             `yaml:"enum"`
	Required   []string             `yaml:"required"`
	Properties map[string]apiSchema `yaml:"properties"`
	Items      *apiSchema           `yaml:"items"`
}

func loadAPI(t *testing.T) apiDoc {
	t.Helper()
	raw, err := os.ReadFile("../wire/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d apiDoc
	if err := yaml.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestEveryRouteIsInTheContractAndBack(t *testing.T) {
	d := loadAPI(t)
	var documented, served []string
	for path, ops := range d.Paths {
		for method := range ops {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	for _, r := range (&Server{}).apiRoutes() {
		served = append(served, r.method+" "+r.path)
	}
	slices.Sort(documented)
	slices.Sort(served)
	if !slices.Equal(documented, served) {
		t.Fatalf("documented %v\nserved     %v", documented, served)
	}
}

// goTypes are the types of package wire behind the schemas.
var goTypes = map[string]any{
	"Signed": wire.Signed{}, "Error": wire.Error{}, "Batch": wire.Batch{}, "Student": wire.Student{}, "EnrollRequest": wire.EnrollRequest{},
	"Enrolled": wire.Enrolled{}, "RosterDelta": wire.RosterDelta{}, "Declared": wire.Declared{}, "DeclareRequest": wire.DeclareRequest{},
	"DeclareResult": wire.DeclareResult{}, "DeclareResponse": wire.DeclareResponse{}, "Progress": wire.Progress{}, "Ack": wire.Ack{},
	"Verdict": wire.Verdict{}, "Verdicts": wire.Verdicts{}, "ClaimState": wire.ClaimState{}, "Heartbeat": wire.Heartbeat{}, "Hello": wire.Hello{}, "Recipients": wire.Recipients{},
	"Provisional": wire.Provisional{}, "EraseRequest": wire.EraseRequest{}, "Erased": wire.Erased{},
}

func TestSchemasAreTheTypes(t *testing.T) {
	d := loadAPI(t)
	for name, s := range d.Components.Schemas {
		if s.Type == "object" && goTypes[name] == nil {
			t.Errorf("schema %s has no type", name)
		}
	}
	for name, v := range goTypes {
		s, ok := d.Components.Schemas[name]
		if !ok {
			t.Errorf("type %s has no schema", name)
			continue
		}
		typ := reflect.TypeOf(v)
		var fields, required []string
		for i := range typ.NumField() {
			f := typ.Field(i)
			tag, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
			fields = append(fields, tag)
			if opts == "" {
				required = append(required, tag)
			}
			want := jsonKind(f.Type)
			p := s.Properties[tag]
			got := p.Type
			if p.Ref != "" {
				got = d.Components.Schemas[refName(p.Ref)].Type
			}
			if got != want {
				t.Errorf("%s.%s is %q in the contract and %q in Go", name, tag, got, want)
			}
			if want == "array" && (p.Items == nil || p.Items.Ref == "" && p.Items.Type == "") {
				t.Errorf("%s.%s does not say what it holds", name, tag)
			}
		}
		var documented []string
		for p := range s.Properties {
			documented = append(documented, p)
		}
		slices.Sort(fields)
		slices.Sort(required)
		slices.Sort(documented)
		slices.Sort(s.Required)
		if !slices.Equal(fields, documented) {
			t.Errorf("%s: fields %v, documented %v", name, fields, documented)
		}
		if !slices.Equal(required, s.Required) {
			t.Errorf("%s: always there %v, documented as required %v", name, required, s.Required)
		}
	}
}

func jsonKind(t reflect.Type) string {
	switch t.String() {
	case "time.Time", "[]uint8":
		return "string"
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return "integer"
	case reflect.Slice:
		return "array"
	case reflect.Struct:
		return "object"
	case reflect.Pointer:
		return jsonKind(t.Elem())
	}
	return t.Kind().String()
}

func refName(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

func TestExamplesDecodeIntoTheTypes(t *testing.T) {
	d := loadAPI(t)
	seen := 0
	for path, ops := range d.Paths {
		for method, op := range ops {
			for _, c := range op.RequestBody.Content {
				if c.Schema.Ref == "" {
					continue
				}
				v := reflect.New(reflect.TypeOf(goTypes[refName(c.Schema.Ref)]))
				raw, err := json.Marshal(c.Example)
				if err != nil {
					t.Fatal(err)
				}
				dec := json.NewDecoder(bytes.NewReader(raw))
				dec.DisallowUnknownFields()
				if err := dec.Decode(v.Interface()); err != nil || v.Elem().IsZero() {
					t.Errorf("example of %s %s: %v", method, path, err)
				}
				seen++
			}
			for status, r := range op.Responses {
				if status != "200" {
					continue
				}
				names, ok := r.Payload.([]any)
				if !ok {
					names = []any{r.Payload}
				}
				for _, n := range names {
					if s, ok := n.(string); !ok || goTypes[s] == nil {
						t.Errorf("%s %s answers with an unknown payload %v", method, path, n)
					}
				}
			}
		}
	}
	if seen != 4 {
		t.Errorf("%d examples, want 4", seen)
	}
}

// TestEveryCodeIsInTheContract reads the codes from the source, so that a new
// one cannot be forgotten.
func TestEveryCodeIsInTheContract(t *testing.T) {
	src, err := os.ReadFile("../wire/httpsig.go")
	if err != nil {
		t.Fatal(err)
	}
	documented := loadAPI(t).Components.Schemas["Error"].Properties["code"].Enum
	for _, m := range regexp.MustCompile(`(?m)^\tCode\w+\s*= "(\w+)"`).FindAllSubmatch(src, -1) {
		if !slices.Contains(documented, string(m[1])) {
			t.Errorf("code %s is not in the contract", m[1])
		}
	}
}
