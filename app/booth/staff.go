package booth

// Role is what a member of staff may do at the station.
type Role string

// Roles. An admin may do everything that an operator may.
const (
	RoleOperator Role = "operator"
	RoleAdmin    Role = "admin"
)

// Staff is who a PIN names.
type Staff struct {
	ID   string // staff id, never a student's; the role's name where none was given
	Role Role
}
