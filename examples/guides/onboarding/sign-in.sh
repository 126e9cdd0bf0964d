# DATABASE_URL is a login of the tenant. The password is the first line of the input.
go run ./examples/sign-in ada@st-marys.example < password.txt
