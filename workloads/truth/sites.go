// What happened to maps at one place of the source.

package truth

import (
	"runtime"
	"strconv"
)

// Site is a function that makes maps of one type and fills them.
type Site struct {
	Counts
	Function  string // "main.fill"
	Type      string // "map[string]int"
	MakeLine  int    // where a size hint would stand
	WriteLine int    // where the map grows
	Entries   int    // of a full map
}

// Line is the line that lies so many below the call.
func Line(below int) int {
	_, _, line, _ := runtime.Caller(1)
	return line + below
}

// File is the source file of the caller, as the compiler names it.
func File() string {
	_, file, _, _ := runtime.Caller(1)
	return file
}

// AddSite adds what happened at one place to the whole, and "sites" to the truth.
func (p *Phase) AddSite(s *Site) {
	p.Add(s.Counts)
	p.sites = append(p.sites, s)
}

func (p *Phase) appendSites(line []byte) []byte {
	if len(p.sites) == 0 {
		return line
	}
	line = append(line, `,"sites":[`...)
	for i, s := range p.sites {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(line, `{"function":`...)
		line = strconv.AppendQuote(line, s.Function)
		line = append(line, `,"type":`...)
		line = strconv.AppendQuote(line, s.Type)
		for _, field := range []struct {
			key   string
			value int
		}{
			{"make_line", s.MakeLine}, {"write_line", s.WriteLine}, {"entries", s.Entries},
			{"created", s.Created}, {"grown", s.Grown}, {"split", s.Split},
		} {
			line = append(line, `,"`+field.key+`":`...)
			line = strconv.AppendInt(line, int64(field.value), 10)
		}
		line = append(line, '}')
	}
	return append(line, ']')
}
